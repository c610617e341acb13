"""What pyproject.toml cannot say: found packages, and sample_data/ as a data folder inside semidavil_core.

``semidavil_core.samples`` finds the samples in both places: beside the package in a clone, inside it when installed.
"""

from setuptools import find_namespace_packages, setup

found = find_namespace_packages(
    include=["semidavil_core*", "semidavil_napari*"], exclude=["*__pycache__*", "*.mypy_cache*"]
)

setup(
    packages=[*found, "semidavil_core._samples"],
    package_dir={"semidavil_core._samples": "sample_data"},
)
