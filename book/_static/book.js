// What a number tells opens beside the number. Without this script it opens in the middle.
document.addEventListener("toggle", event => {
  const box = event.target;
  if (event.newState !== "open" || !box.classList?.contains("told")) return;
  const number = document.querySelector(`[popovertarget="${box.id}"]`).getBoundingClientRect();
  const room = document.documentElement.clientWidth - box.offsetWidth - 16;
  box.style.position = "absolute";
  box.style.inset = "auto";
  box.style.margin = "0";
  box.style.left = `${window.scrollX + Math.max(16, Math.min(number.left, room))}px`;
  box.style.top = `${window.scrollY + number.bottom + 6}px`;
}, true);
