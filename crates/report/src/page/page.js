(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  root.classList.add("js");

  // Light or dark, as the reader's system says until the button is pressed.
  const themeButton = $("theme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
  const nameTheme = () => {
    themeButton.textContent = isDark() ? "Light" : "Dark";
    document.dispatchEvent(new Event("theme"));
  };
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  systemDark.addEventListener("change", nameTheme);
  nameTheme();

  // Each clip's marks can be switched off; one sound plays at a time.
  document.addEventListener("change", (event) => {
    if (!event.target.closest(".toggle")) return;
    const picture = event.target.closest(".pane").querySelector(".spectrogram");
    picture.classList.toggle("marked", event.target.checked);
  });
  document.addEventListener("play", (event) => {
    for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
  }, true);

  // A link into a folded part unfolds it.
  const unfold = () => {
    const folded = document.querySelector(":target")?.closest("details");
    if (folded) folded.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
