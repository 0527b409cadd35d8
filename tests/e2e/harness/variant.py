"""What a gateway is told to run on, and what it must then say of itself."""

import dataclasses
import itertools
import os

# The driver that `lwtctl status -json` names for a kind of tunnel port.
_TUNNEL_DRIVERS = {
    "auto": ("tun", "net_tap"),
    "offload": ("tun",),
    "tap": ("net_tap",)
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """Only what differs from the defaults is said on the command line."""

    uplink: str = "auto"
    tunnel_port: str = "auto"
    super_frames: bool = True
    workers: int = 1

    def __str__(self):
        words = [self.uplink]
        if self.tunnel_port != "auto":
            words.append(self.tunnel_port)
        if not self.super_frames:
            words.append("single")
        if self.workers != 1:
            words.append(f"{self.workers}workers")
        return "-".join(words)

    def arguments(self):
        flags = ["-uplink", self.uplink]
        if self.tunnel_port != "auto":
            flags += ["-tunnel-port", self.tunnel_port]
        if not self.super_frames:
            flags.append("-super-frames=false")
        if self.workers != 1:
            flags += ["-workers", str(self.workers)]
        return flags

    def with_uplink(self, uplink):
        return dataclasses.replace(self, uplink=uplink)

    def assert_ran(self, side):
        """Fails unless the gateway really runs on this."""
        status = side.status()
        uplink, tunnel = status["uplink"], status["tunnel"]
        if self.uplink == "auto":
            assert uplink["driver"] in ("af_packet", "af_xdp")
        else:
            assert uplink["driver"] == self.uplink
        assert uplink["device"] == "eth0"
        assert uplink["super_frames"] == (self.super_frames and
                                          uplink["driver"] == "af_packet")
        assert tunnel["driver"] in _TUNNEL_DRIVERS[self.tunnel_port], tunnel
        assert len(status["workers"]) == self.workers


# Every test that takes `variant` runs once on each of these: all that can be
# chosen, in four combinations.
VARIANTS = (Variant("af_packet", workers=2), Variant("af_xdp"),
            Variant("af_packet", "tap", super_frames=False),
            Variant("af_xdp", "tap"))
# A veth pair has one queue for AF_XDP, and so one worker.
_PRODUCT = tuple(
    Variant(uplink, tunnel_port, super_frames, workers)
    for (uplink, super_frames, workers), tunnel_port in itertools.product(
        (("af_packet", True, 1), ("af_packet", True, 2),
         ("af_packet", False, 1), ("af_packet", False, 2),
         ("af_xdp", True, 1)), ("offload", "tap")))
# Ping, bulk transfer and kills run on each of these: with LWT_E2E=full on the
# whole product.
FULL = _PRODUCT if os.environ.get("LWT_E2E") == "full" else VARIANTS
