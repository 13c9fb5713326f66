"""Over drivers, toolkits, wheels and cards: a newer driver never makes a fit host unfit."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from provision.environment.cuda_fit import cuda_findings
from provision.environment.cuda_wanted import CudaDemand
from provision.gpu.cuda import Fit, compiles_for, fit, nearest, newest_cuda, toolkits
from provision.gpu.tables import rows, table
from provision.gpu.versions import parse_version
from provision.gpu.wheels import Wheel, wheels
from provision.model.facts import Gpu, GpuFacts
from provision.model.plan import Severity

TOOLKITS = [toolkit for toolkit, _ in toolkits()]
CAPABILITIES = [row["capability"] for row in rows("architectures")]
BRANCHES = {row["capability"]: row["last_branch"] for row in rows("architectures")}
NOTCHES = sorted(
    parse_version(driver) for driver in [*(one for _, one in toolkits()), *table("toolkits")["floors"].values()]
)

drivers = st.one_of(
    st.tuples(st.integers(384, 650), st.integers(0, 260), st.integers(0, 99)),
    st.sampled_from(NOTCHES),
    st.sampled_from(NOTCHES).map(lambda one: (*one[:-1], max(one[-1] - 1, 0))),
).map(lambda numbers: ".".join(map(str, numbers)))
builds: st.SearchStrategy[Wheel | None] = st.one_of(st.none(), st.sampled_from(wheels()))


@st.composite
def demands(draw: st.DrawFn) -> CudaDemand:
    wheel = draw(builds)
    if wheel is not None:
        cuda = f"{wheel.tag[2:4]}.{wheel.tag[4]}"
        return CudaDemand("a line", (cuda,), pip=True, tag=wheel.tag, torch=wheel.torch)
    some = draw(st.lists(st.sampled_from(TOOLKITS), min_size=1, max_size=4, unique=True))
    return CudaDemand("a line", tuple(sorted(some, key=TOOLKITS.index)), pip=draw(st.booleans()))


def supports(driver: str, capability: str) -> bool:
    last = BRANCHES[capability]
    return last is None or parse_version(driver)[0] <= last


def unfit(demand: CudaDemand, driver: str, capability: str) -> bool:
    gpu = GpuFacts(nvidia_smi=0, gpus=(Gpu(0, "GPU-0", "card", compute_capability=capability),), driver=driver)
    return any(one.severity is Severity.ERROR for one in cuda_findings([demand], gpu))


@example(CudaDemand("torch", ("12.8",), pip=True, tag="cu128", torch="2.9"), "550.54.14", "580.65.06", "6.0")
@given(demand=demands(), one=drivers, other=drivers, capability=st.sampled_from(CAPABILITIES))
def test_a_newer_driver_that_supports_the_card_never_makes_a_fit_host_unfit(
    demand: CudaDemand, one: str, other: str, capability: str
) -> None:
    older, newer = sorted((one, other), key=parse_version)
    if supports(newer, capability) and not unfit(demand, older, capability):
        assert not unfit(demand, newer, capability)


@given(toolkit=st.sampled_from(TOOLKITS), one=drivers, other=drivers)
def test_a_newer_driver_serves_a_toolkit_at_least_as_well(toolkit: str, one: str, other: str) -> None:
    order = [Fit.NONE, Fit.LIMITED, Fit.FULL]
    older, newer = sorted((one, other), key=parse_version)
    assert order.index(fit(toolkit, older)) <= order.index(fit(toolkit, newer))


@given(driver=drivers, capability=st.sampled_from(CAPABILITIES))
def test_the_nearest_pin_starts_on_the_driver_and_compiles_for_the_card(driver: str, capability: str) -> None:
    pin = nearest(driver, [capability])
    if pin is None:
        assert not any(fit(one, driver) is not Fit.NONE and compiles_for(one, capability) for one in TOOLKITS)
    else:
        assert fit(pin, driver) is not Fit.NONE
        assert compiles_for(pin, capability) is not False


def test_the_table_says_of_each_row_what_its_own_driver_serves() -> None:
    for toolkit, driver in toolkits():
        assert fit(toolkit, driver) is Fit.FULL
        assert newest_cuda(driver) == toolkit
        *head, last = parse_version(driver)
        below = ".".join(map(str, (*head, last - 1)))
        assert fit(toolkit, below) is not Fit.FULL


@given(demand=demands(), capability=st.sampled_from(CAPABILITIES), text=st.text(max_size=20))
def test_a_driver_that_is_no_version_is_never_judged_by_guess(demand: CudaDemand, capability: str, text: str) -> None:
    try:
        parse_version(text)
    except ValueError:
        gpu = GpuFacts(nvidia_smi=0, gpus=(Gpu(0, "GPU-0", "card", compute_capability=capability),), driver=text)
        assert not any(one.code in {"CUDA-TOO-NEW", "CUDA-LIMITED"} for one in cuda_findings([demand], gpu))
