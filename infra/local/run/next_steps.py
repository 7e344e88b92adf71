"""Where to look after a run, and how to publish to and watch a system that stays up."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from infra.local.processes import ROOT
from infra.local.stack import Stack

HELLO = "infra/local/demo/requests/hello.json"


def shown(path: Path) -> str:
    """As one would type it in the project's folder."""
    here = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return shlex.quote(str(here))


def where_to_look(stack: Stack) -> str:
    return f"""Where to look next, in {shown(stack.directory)}:
  stand-in/output/  what each replica printed
  buckets/models/   what was learnt
  logs/             a log per process; a function logs each decision as JSON
and who ran when, as the stand-in saw it:
  .venv/bin/python -m infra.local.checker {shown(stack.journal_path)}"""


def write_environment(stack: Stack) -> Path:
    """A file of exports to be read by a shell: for poolctl, gcloud, curl and Python."""
    variables = {
        **stack.environment(),
        "PUBSUB_EMULATOR_HTTP_HOST": stack.emulators.pubsub_http_address,
        "CLOUDSDK_CONFIG": str(stack.directory / "gcloud"),
        "CLOUDSDK_CORE_PROJECT": stack.project,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": f"http://{stack.emulators.pubsub_http_address}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{stack.vertex_endpoint}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": f"{stack.vertex_endpoint}/",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    path = stack.directory / "environment.sh"
    binaries = shlex.quote(str(Path(sys.executable).parent))
    path.write_text("\n".join([*lines, f'export PATH={binaries}:"$PATH"', ""]), encoding="utf-8")
    return path


def how_to_go_on(environment_file: Path, page: str | None) -> str:
    """Commands at the margin, so that each can be copied as it stands."""
    shown_at = f"The page, in a browser: {page}\n" if page else ""
    return f"""The system stays up; docs/tour.md leads through a first hour with it.
{shown_at}
In another terminal, in this folder:

. {shown(environment_file)}

Publish with gcloud, curl or Python (each of these learns to read digits for five seconds):

gcloud pubsub topics publish job-requests \\
  --message="$(cat {HELLO})" --attribute=job_id=hello,priority=70

curl -sS -H 'Content-Type: application/json' \\
  -d '{{"messages": [{{"data": "'"$(base64 < {HELLO} | tr -d '\\n')"'"}}]}}' \\
  "http://$PUBSUB_EMULATOR_HTTP_HOST/v1/projects/$GOOGLE_CLOUD_PROJECT/topics/job-requests:publish"

python -c "
from pathlib import Path
from google.cloud.pubsub_v1 import PublisherClient
request = Path('{HELLO}').read_bytes()
topic = 'projects/$GOOGLE_CLOUD_PROJECT/topics/job-requests'
print(PublisherClient().publish(topic, request, priority='60').result())
"

And watch, or ask what would become of a request:

poolctl jobs
poolctl submit {HELLO} --dry-run
poolctl jobs --ended
poolctl pools
gcloud ai custom-jobs list --region=us-central1

What is announced appears below. Ctrl-C ends everything."""
