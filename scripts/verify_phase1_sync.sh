#!/usr/bin/env bash
# The requirements' data verification (Task 4.1): a thin call of `tds verify` that prints their checklist.
# Arguments go to `tds verify`, such as --heal or --stack NAME --region REGION. Exits with 0 only if all is equal.
set -uo pipefail
tds="${TDS:-$(dirname "$0")/../.venv/bin/tds}"
report="$("$tds" verify --json "$@")"
code=$?
[ -n "$report" ] || exit "$code"
python3 -c '
import json, sys

report = json.load(sys.stdin)
names = ("products", "customers", "sales_orders", "invoices", "payments", "credit_notes", "bills", "vendors", "users")
for name in (*names, *(one for one in report["entities"] if one not in names)):
    part = report["entities"].get(name)
    if part is None:
        continue
    good = not (part["remaining"] or part["details_pending"] or part["error"])
    box, label = "x" if good else " ", name.replace("_", " ").capitalize()
    print(f"[{box}] {label} count: Zoho {part['"'"'zoho'"'"']:,} vs TSH ERP {part['"'"'erp'"'"']:,}, mismatch {part['"'"'mismatch_ratio'"'"']:.2%}")
images = report.get("images")
if images:
    box = "x" if images["ok"] else " "
    print(f"[{box}] Images count: Zoho {images['"'"'expected'"'"']:,}, stored {images['"'"'stored'"'"']:,}, reachable {images['"'"'reachable'"'"']:,}")
above = report["above_alarm_ratio"]
print("[ ] ALERT: mismatch above the limit: " + ", ".join(above) if above else "[x] No mismatch above the limit")
' <<<"$report"
exit "$code"
