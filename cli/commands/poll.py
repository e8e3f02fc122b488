"""tds poll: look for changes in every list now."""

from cli import output
from cli.deployment import Deployment
from cli.display import Display
from cli.failure import CommandFailed, ExitCode
from cli.follow import Follower
from cli.options import AsJson, Region, Stack, Timeout, Wait
from cli.outcome import ended, requested


@output.command
def poll(
    wait: Wait = False, timeout: Timeout = None, as_json: AsJson = False, stack: Stack = "", region: Region = ""
) -> ExitCode:
    """Look for changes in every list now, whether it is due or not."""
    deployment = Deployment.find(stack, region)
    if not wait:
        deployment.ask("poll", {})
        return requested({}, "a round of polling was asked for", as_json=as_json)
    follower = Follower(deployment.ask, timeout_s=timeout)
    run = follower.poll()
    if run.error:
        raise CommandFailed(f"the poll failed: {run.error}", ExitCode.NOT_OK)
    with Display(output.console(stderr=as_json)) as display:
        snapshot = follower.until_over(display.show)
    return ended(snapshot, as_json=as_json, zoho_calls=run.zoho_calls)
