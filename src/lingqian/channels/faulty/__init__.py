"""A channel with faults on demand, from a seed, in memory (模拟渠道).

Law: the truth is always right and always kept; faults stand between it and whoever asks. The same
seed and the same calls give the same answers; nothing is awaited, no clock is read.
"""

from lingqian.channels.faulty.channel import Faulty
from lingqian.channels.faulty.fault import CALM, ROUGH, Rates

__all__ = ["CALM", "ROUGH", "Faulty", "Rates"]
