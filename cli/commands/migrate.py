"""tds migrate: bring the database up to date."""

from cli import output
from cli.deployment import Deployment
from cli.failure import ExitCode
from cli.options import AsJson, Region, Stack


@output.command
def migrate(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> ExitCode:
    """Apply the migrations that the database lacks; a deploy does so by itself."""
    deployment = Deployment.find(stack, region)
    answer = deployment.invoke(deployment.output("MigrateFunctionName"), {})
    is_ok = answer.get("Status") == "SUCCESS"
    if as_json:
        output.print_json({"ok": is_ok, "reason": answer.get("Reason")})
    else:
        output.console(stderr=not is_ok).print(str(answer.get("Reason")), highlight=False, markup=False)
    return ExitCode.OK if is_ok else ExitCode.NOT_OK
