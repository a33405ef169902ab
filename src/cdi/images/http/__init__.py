"""
One HTTP client, made for reading large objects in ranges: little processor time for each request.

Elsewhere: what is read over it, and when to go on after a break (`sources`).
"""
