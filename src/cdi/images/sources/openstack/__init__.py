"""
Images of an OpenStack: its identity service (Keystone) is asked for a token and for where the image
service (Glance) is, which has the bytes.

    credentials  who asks, and for which project
    keystone     a token, and where services are
    glance       the bytes of one image: an ordinary source over HTTP
    prepare      all of it, as something to import from

Passwords, secrets and tokens go to the services they are for, and are never shown.
"""
