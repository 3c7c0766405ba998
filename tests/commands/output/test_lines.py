"""Lines that commands print: text of data is made safe, text for programs stays as it is."""

import pytest

from cellfeat.commands.output.lines import say, show, write_exactly

HOSTILE = "HeLa\x1b[2J\u202e"
SAFE = r"HeLa\x1b[2J\u202e"


def test_results_and_remarks_show_control_characters_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    show(f"label {HOSTILE}\nsecond line")
    say(f"remark {HOSTILE}")
    printed = capsys.readouterr()
    assert printed.out == f"label {SAFE}\nsecond line\n"
    assert printed.err == f"remark {SAFE}\n"


def test_text_for_programs_is_not_changed(capsys: pytest.CaptureFixture[str]) -> None:
    write_exactly("#!/bin/sh\n\techo µ\n")
    assert capsys.readouterr().out == "#!/bin/sh\n\techo µ\n"
