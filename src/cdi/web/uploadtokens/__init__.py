"""
UploadTokenRequest: an API that stores nothing and answers with a token for one claim.

    request      what may be asked, and the answer
    documents    how the API describes itself: discovery and OpenAPI

Served by the API server of a cluster (`web.apiserver`) and by that of one machine alike.
"""
