"""The library's videos: for each scene its place, its seconds, and who does what."""

from __future__ import annotations

from centerclip.lab.toy_world.staging import Role

__all__ = ["SCRIPTS"]

Script = list[tuple[str, float, list[Role]]]


def _roles(text: str) -> list[Role]:
    """Parse "big red ice cream spins; blue car moves": optional size, color, thing, motion."""
    roles = []
    for clause in text.split("; "):
        words = clause.split()
        size = words.pop(0) if words[0] in ("small", "plain", "big") else "plain"
        roles.append(Role(" ".join(words[1:-1]), words[0], words[-1], size))
    return roles


def _script(*scenes: tuple[str, float, str]) -> Script:
    return [(place, seconds, _roles(text)) for place, seconds, text in scenes]


SCRIPTS: dict[str, Script] = {
    "harbor/morning-at-sea.mp4": _script(("sea", 5, "big white sailboat moves")),
    "harbor/submarine-dive.mp4": _script(("sea", 6, "big yellow submarine circles")),
    "harbor/whale-watching.mp4": _script(("sea", 5, "big blue whale moves; small white bird circles")),
    "harbor/crab-dance.mp4": _script(("sea", 4, "big red crab shakes")),
    "garden/butterfly.mp4": _script(("meadow", 5, "purple butterfly circles; red flower stays")),
    "garden/first-apple.mp4": _script(("meadow", 4, "green apple grows")),
    "garden/snail-race.mp4": _script(("meadow", 6, "pink snail moves; green turtle moves")),
    "garden/lost-kite.mp4": _script(("meadow", 5, "orange kite rises")),
    "town/bus-stop.mp4": _script(("city", 5, "big yellow bus moves")),
    "town/new-bicycle.mp4": _script(("city", 4, "big red bicycle moves")),
    "town/alarm-clock.mp4": _script(("city", 4, "big green clock shakes")),
    "town/street-music.mp4": _script(("city", 5, "brown guitar shakes; blue drum bounces")),
    "desert/rolling-ball.mp4": _script(("desert", 5, "big blue ball moves")),
    "desert/camp.mp4": _script(("desert", 5, "big purple tent stays; yellow star blinks")),
    "desert/lone-cactus.mp4": _script(("desert", 4, "big green cactus stays")),
    "mountains/first-ski-day.mp4": _script(("snow", 5, "big red helicopter moves")),
    "mountains/rabbit-tracks.mp4": _script(("snow", 5, "brown rabbit bounces")),
    "mountains/hot-chocolate.mp4": _script(("snow", 4, "big pink cup stays; black hat spins")),
    "night/rocket-launch.mp4": _script(("night sky", 5, "big white rocket rises")),
    "night/visitors.mp4": _script(("night sky", 6, "big green ufo moves; gray moon stays")),
    "night/halloween.mp4": _script(("night sky", 5, "big orange ghost shakes; small white ghost circles")),
    "home/birthday-cake.mp4": _script(("room", 5, "big pink cake stays; red balloon rises")),
    "home/kitten.mp4": _script(("room", 5, "big black cat bounces")),
    "home/robot-toy.mp4": _script(("room", 5, "big turquoise robot moves; small brown teddy bear stays")),
    "harbor/a-week-on-the-coast.mp4": _script(
        ("sea", 6, "big red ship moves"),
        ("sea", 5, "turquoise fish circles; orange octopus shakes"),
        ("desert", 6, "big blue umbrella spins"),
        ("sea", 5, "big green duck bounces"),
        ("night sky", 6, "big yellow moon rises"),
    ),
    "garden/four-seasons.mp4": _script(
        ("meadow", 7, "big pink flower grows"),
        ("meadow", 6, "big yellow sun rises"),
        ("forest", 7, "big orange tree shakes"),
        ("snow", 6, "big white house stays; red bird circles"),
    ),
    "town/sunday-drive.mp4": _script(
        ("city", 6, "big red car moves"),
        ("forest", 7, "big blue truck moves"),
        ("meadow", 6, "big green tractor moves"),
        ("desert", 7, "big black train moves"),
        ("snow", 6, "big purple bus moves"),
        ("city", 5, "big gray car stays"),
    ),
    "mountains/hike.mp4": _script(
        ("forest", 6, "big brown dog moves"),
        ("forest", 5, "big red mushroom grows"),
        ("forest", 5, "green snake moves; white rabbit bounces"),
        ("snow", 6, "big blue tent stays"),
        ("snow", 5, "yellow plane moves"),
    ),
    "night/space-journey.mp4": _script(
        ("night sky", 6, "big red rocket moves"),
        ("night sky", 6, "yellow star spins; orange star blinks"),
        ("night sky", 5, "big blue robot rises"),
        ("desert", 6, "big gray ufo circles"),
        ("room", 5, "big black book stays; purple lamp blinks"),
    ),
    "home/party.mp4": _script(
        ("room", 6, "big green gift shakes"),
        ("room", 5, "yellow balloon rises; purple balloon bounces"),
        ("room", 6, "big pink ice cream spins"),
        ("room", 5, "brown dog moves; red ball bounces"),
        ("city", 6, "big white umbrella moves"),
        ("night sky", 6, "big pink heart blinks"),
    ),
}
"""The library's videos by path; the last six are the long ones."""
