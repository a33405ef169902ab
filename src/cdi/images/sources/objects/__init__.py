"""
Object stores: S3, Google Cloud Storage, Azure blobs.

An object is read by `HttpSource`, with everything it can do: parallel ranges, resuming, retries,
proxies, authorities. What a store wants beyond that is its `Service`: `s3`, `gcs`, `azure`. What
its refusals mean is in `refusals`, how an object is named in `address`, and who is asking is a
frozen value of `access`, filled by whoever starts the work: nothing here reads the environment.
"""
