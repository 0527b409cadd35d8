"""Reading strace's summary."""

from harness import trace

_TEXT = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.02    0.190000          11     17001           recvmmsg
 38.98    0.121000           9     12870        12 epoll_pwait2
------ ----------- ----------- --------- --------- ----------------
100.00    0.311000          10     29871        12 total
"""


def test_calls_by_name():
    assert trace.parse(_TEXT) == {"recvmmsg": 17001, "epoll_pwait2": 12870}
    assert trace.parse("") == {}
