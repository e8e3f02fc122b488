"""tds doctor: whether a deployment has all it needs and is at work."""

from cli import output, render_doctor
from cli.deployment import Deployment
from cli.failure import ExitCode
from cli.options import AsJson, Region, Stack


@output.command
def doctor(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> ExitCode:
    """Check secrets, database, Zoho's scopes, schedules, webhooks, queues and alarms, and say what to do."""
    found = Deployment.find(stack, region).ask("doctor", {})
    output.show(found, render_doctor.findings(found), as_json=as_json)
    return ExitCode.OK if found["ok"] else ExitCode.NOT_OK
