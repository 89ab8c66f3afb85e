/* Tells the server the viewer's time zone (an IANA name in the cookie `tz`), so that the next page shows local times. */
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const entry = `tz=${encodeURIComponent(zone ?? "")}`;
if (zone && !document.cookie.split("; ").includes(entry)) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${entry}; path=/; max-age=31536000; samesite=lax${secure}`;
}
