"""Notifications of a team, for its members: each reconnect asks again whether the user may listen.

pip install '.[flask]' gunicorn
gunicorn --workers 2 --threads 100 examples.notifications:app

curl -c jar -d user=ada localhost:8000/login
curl -d user=ada localhost:8000/teams/red/members
curl -N -b jar localhost:8000/teams/red/notifications
curl -d text=Hello localhost:8000/teams/red/notifications
curl -X DELETE localhost:8000/teams/red/members/ada

The stream's address is a view like any other: it is asked when a client comes, and when it comes back with its cursor.
A revoked member gets 403 then, and no event that was published in between. A stream that is open goes on, so it is
ended after MINUTES (5): an EventSource reconnects by itself, and is asked again.
"""

import os
import sqlite3
from contextlib import closing

from flask import Flask, Response, abort, request, session

import stream_adapter as sa
from stream_adapter_flask import stream_response

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY", "an example's")
live = sa.Broker(os.environ.get("BROKER", "sqlite:///notifications-broker.sqlite3"), prefix="notifications")
LIMITS = sa.Limits(total_timeout=60 * float(os.environ.get("MINUTES", "5")), send_timeout=5.0)


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(os.environ.get("DATABASE", "notifications.sqlite3"))
    connection.execute("CREATE TABLE IF NOT EXISTS members (team TEXT, user TEXT, PRIMARY KEY (team, user))")
    return connection


def may_listen(team: str) -> bool:
    with closing(database()) as connection:
        values = team, session.get("user")
        return connection.execute("SELECT 1 FROM members WHERE team = ? AND user = ?", values).fetchone() is not None


@app.get("/teams/<team>/notifications")
def notifications(team: str) -> Response:
    """Stream what is published to the team, if the user of the session is a member now."""
    if not may_listen(team):
        abort(403)
    return stream_response(sa.sse(live.subscribe(f"team:{team}"), limits=LIMITS))


@app.post("/teams/<team>/notifications")
def notify(team: str) -> dict[str, str]:
    """Publish; an application asks for a right here, too."""
    return {"id": live.publish(f"team:{team}", {"text": request.form["text"]}, event="notification")}


@app.post("/teams/<team>/members")
def add(team: str) -> dict[str, str]:
    """Make a user a member; an application asks for a right here, too."""
    with closing(database()) as connection, connection:
        connection.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (team, request.form["user"]))
    return {"team": team}


@app.delete("/teams/<team>/members/<user>")
def revoke(team: str, user: str) -> dict[str, str]:
    """Make a user a member no more; an application asks for a right here, too."""
    with closing(database()) as connection, connection:
        connection.execute("DELETE FROM members WHERE team = ? AND user = ?", (team, user))
    return {"team": team}


@app.post("/login")
def login() -> dict[str, str]:
    """Take the user's word for it; an application asks for a password."""
    session["user"] = request.form["user"]
    return {"user": session["user"]}
