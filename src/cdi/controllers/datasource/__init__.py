"""
DataSources: whether what they stand for can be cloned from, and which defaults travel with it.

    decide        condition Ready, the resolved source, the labels
    reconciler    what is looked at, and which changes concern which DataSource

Elsewhere: where a reference leads (`controllers.sourceref`), and who makes a DataSource follow the
newest import (`dataimportcron`).
"""
