"""placeholder until the analysis lands"""
from dataclasses import dataclass
@dataclass(frozen=True)
class Binding:
    kind: str; reason: str; line: int
class Analysis:
    def binding(self, line): return Binding("line", "stops each time this line runs", line)
def analyse(source, filename=""): return Analysis()
