"""The proof that a role allows exactly what its definitions need, decided by automata. See docs/proof.md."""

from __future__ import annotations

from tests.support.prove.automata import Undecided
from tests.support.prove.proof import Finding, Proof, Setting, prove, prove_template, settings

__all__ = ["Finding", "Proof", "Setting", "Undecided", "prove", "prove_template", "settings"]
