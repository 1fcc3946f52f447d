// Which files this browser plays itself. The server makes MP4 excerpts of the others.

const probe = document.createElement("video");

// Safari plays HEVC, for example, and other browsers do where the device can.
export const plays = (hit) => hit.playable || Boolean(hit.media_type && probe.canPlayType(hit.media_type));
