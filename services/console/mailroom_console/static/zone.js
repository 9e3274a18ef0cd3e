// Times are shown in this browser's zone: the server knows it from a cookie, from the sign-in on.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`mailroom_zone=${encodeURIComponent(zone)}`)) {
  document.cookie = `mailroom_zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
}
