"""Jinja templates from Flask, rendered while their rows are still on the way.

pip install '.[flask]' gunicorn
gunicorn --threads 8 examples.flask_templates:app
curl -N localhost:8000/
"""

import time

from flask import Flask, stream_template
from jinja2 import DictLoader

from stream_adapter_flask import StreamAdapter

app = Flask(__name__)
app.jinja_loader = DictLoader(
    {
        "page.html": "<h1>{{ title }}</h1>\n<ul>\n{% for row in rows %}<li>{{ row }}</li>\n{% endfor %}</ul>\n",
    }
)
StreamAdapter(app)


def rows():
    """Yield rows as a slow query does."""
    for row in ("Hold", "nothing", "<back>"):
        yield row
        time.sleep(0.1)


@app.get("/", streaming=True)
def page():
    """Send the head of the page before the first row is read."""
    return stream_template("page.html", title="Rows", rows=rows())
