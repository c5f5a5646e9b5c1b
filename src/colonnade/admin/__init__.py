"""The administrator's page: starlette-admin's forms and tables over the resources' own operations.

It is a client that happens to live in the same process. What it reads and changes goes through the operations that HTTP
requests go through, with the signed-in administrator as their principal, so that versions, soft deletion, policies, hooks
and jobs hold here without being written a second time.
"""
