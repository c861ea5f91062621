"""What recorded spike counts say of a neuron: joint model of its conditions, optimum, profiles and posterior."""

from ketune.inference._conditions import ACTIONS, ConditionCounts, check_conditions
from ketune.inference._density import Moments
from ketune.inference._model import JointModel
from ketune.inference._placement_noise import Trees
from ketune.inference._priors import Prior, normal_over
from ketune.inference._profile import Profile, profiles
from ketune.inference._sample import Draws, sample
from ketune.inference._starts import Optimum, Start, curvature, find_optimum

__all__ = [
    "ACTIONS",
    "ConditionCounts",
    "Draws",
    "JointModel",
    "Moments",
    "Optimum",
    "Prior",
    "Profile",
    "Start",
    "Trees",
    "check_conditions",
    "curvature",
    "find_optimum",
    "normal_over",
    "profiles",
    "sample",
]
