"""Label maps: strokes or dense, and what joins them."""

from __future__ import annotations

import numpy as np
import pytest

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.label_maps import is_dense, with_more_labels
from tests.core.tiny_tower import target_domain


@pytest.mark.parametrize(("labelled", "dense"), [(0, False), (10, False), (11, True), (100, True)])
def test_a_map_is_dense_from_more_than_a_tenth_on(labelled: int, *, dense: bool) -> None:
    labels = np.full((10, 10), IGNORE_INDEX, np.uint8)
    labels.flat[:labelled] = 3
    assert is_dense(labels) is dense


def test_own_labels_win_over_more() -> None:
    domain = target_domain(2, painted=1)
    wrong = {name: np.full(domain[0].image.shape[:2], 1, np.uint8) for name in domain.names}
    joined = with_more_labels(domain, wrong)
    painted, bare = joined[0].labels, joined[1].labels
    assert painted is not None
    assert bare is not None
    given = domain[0].labels
    assert given is not None
    assert (painted[given != IGNORE_INDEX] == given[given != IGNORE_INDEX]).all()
    assert (painted[given == IGNORE_INDEX] == 1).all()
    assert (bare == 1).all()
    assert with_more_labels(domain, {})[1].labels is None
