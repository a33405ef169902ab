"""
The Container Storage Interface, spoken over a socket.

    wire           protobuf, for dataclasses
    messages/      what is said, as the interface's specification has it
    registration   what is said to the kubelet, so that it knows the driver
    server         gRPC: methods, and errors as status codes
    identity       who the driver is
    controller     making, removing, growing and listing volumes and snapshots
    node           giving volumes to pods
    codes          which error is which status code
"""
