# SPDX-License-Identifier: Apache-2.0
"""Who has signed in, until they leave, are idle too long, or the day is over; kept in memory and nowhere else.

Rules of this module:

- A session is found by the SHA-256 of its cookie: whoever reads this process's memory dump for a cookie finds none.
- A new sign-in is a new session; none is carried over, and no cookie that was not made here is accepted.
- No passphrase and no private key is in a session: a signature asks for the passphrase again.
- What was displayed is noted only after it was served to the same session, byte for byte.
- Time is that of a clock that nobody can set back.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

IDLE_S = 15 * 60
LONGEST_S = 8 * 60 * 60
MOST_SESSIONS = 500
MOST_RECORDS = 200  # whose display a session remembers; of more, the oldest is looked at again


@dataclass(slots=True)
class Session:
    """A person who has signed in on one browser."""

    user: str
    keyid: str  # of the person's key then: another one ends the session
    csrf: str
    born: float
    seen: float
    served: dict[str, dict[str, str]] = field(default_factory=dict)  # by record: name to SHA-256
    displayed: dict[str, dict[str, str]] = field(default_factory=dict)

    def serve(self, record_id: str, name: str, data: bytes) -> str:
        """Note what is sent to this browser; return its SHA-256."""
        digest = hashlib.sha256(data).hexdigest()
        if record_id not in self.served and len(self.served) >= MOST_RECORDS:
            oldest = next(iter(self.served))
            del self.served[oldest]
            self.displayed.pop(oldest, None)
        self.served.setdefault(record_id, {})[name] = digest
        return digest

    def display(self, record_id: str, shown: Mapping[str, str]) -> bool:
        """Note what the browser says it has drawn; False, and nothing noted, unless all of it was served here."""
        served = self.served.get(record_id, {})
        if not shown or any(served.get(name) != digest for name, digest in shown.items()):
            return False
        self.displayed.setdefault(record_id, {}).update(shown)
        return True


class Sessions:
    """All sessions of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none."""
        self.clock = clock
        self._lock = threading.Lock()
        self._by_cookie: dict[str, Session] = {}

    def begin(self, user: str, keyid: str) -> tuple[str, Session]:
        """A new session and its cookie."""
        cookie, now = secrets.token_urlsafe(32), self.clock()
        session = Session(user, keyid, secrets.token_urlsafe(32), now, now)
        with self._lock:
            self._by_cookie = {key: one for key, one in self._by_cookie.items() if self._lives(one, now)}
            while len(self._by_cookie) >= MOST_SESSIONS:
                del self._by_cookie[min(self._by_cookie, key=lambda key: self._by_cookie[key].seen)]
            self._by_cookie[_key(cookie)] = session
        return cookie, session

    def find(self, cookie: str | None) -> Session | None:
        """The session of a cookie, if it still is one; to be asked for is not to be idle."""
        if cookie is None:
            return None
        now, key = self.clock(), _key(cookie)
        with self._lock:
            session = self._by_cookie.get(key)
            if session is None:
                return None
            if not self._lives(session, now):
                del self._by_cookie[key]
                return None
            session.seen = now
            return session

    def end(self, session: Session) -> None:
        """Forget a session."""
        with self._lock:
            self._by_cookie = {key: one for key, one in self._by_cookie.items() if one is not session}

    def end_of(self, user: str) -> None:
        """Forget every session of a person."""
        with self._lock:
            self._by_cookie = {key: one for key, one in self._by_cookie.items() if one.user != user}

    @staticmethod
    def _lives(session: Session, now: float) -> bool:
        return now - session.seen < IDLE_S and now - session.born < LONGEST_S


class Rate:
    """At most ``most`` of something in ``seconds`` for one name."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none."""
        self._most, self._seconds, self._clock = most, seconds, clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def takes(self, name: str) -> bool:
        """Count one more; False, and not counted, where it is one too many."""
        return self._left(name, count=True)

    def left(self, name: str) -> bool:
        """Whether one more would be taken."""
        return self._left(name, count=False)

    def _left(self, name: str, *, count: bool) -> bool:
        now = self._clock()
        with self._lock:
            if len(self._times) > MOST_SESSIONS:
                self._times = {
                    key: when for key, when in self._times.items() if when and now - when[-1] < self._seconds
                }
            times = self._times.setdefault(name, deque())
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return False
            if count:
                times.append(now)
            return True


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
