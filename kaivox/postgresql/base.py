"""Django's PostgreSQL, with a cheaper question whether a connection still lives.

Each thread keeps its connection, and before a request's first query Django asks whether it is usable
(`CONN_HEALTH_CHECKS`): Django's own way is a query, a round trip for each request.
docs/decisions/0074.
"""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """A server that ends a connection says so, or closes it: then there is something to read on
        one that waits for no answer. One that is cut off in silence is found by
        `tcp_user_timeout`."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
