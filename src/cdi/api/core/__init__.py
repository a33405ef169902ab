"""The types of Kubernetes that our kinds embed, written out in full. No kind of ours is here."""
