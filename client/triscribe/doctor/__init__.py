"""What keeps a machine from serving, each fault named with its remedy."""

from triscribe.doctor.examination import Subject, examine
from triscribe.doctor.findings import Finding, Report, Status

__all__ = ["Finding", "Report", "Status", "Subject", "examine"]
