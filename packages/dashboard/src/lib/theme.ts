/** Light, dark, or as the system says; the choice is kept in this browser. */
export type Theme = 'system' | 'light' | 'dark';

const key = 'analytics-theme';

export function storedTheme(): Theme {
  try {
    const theme = localStorage.getItem(key);
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  } catch {
    // Storage can be forbidden; the theme is then the system's on each visit.
    return 'system';
  }
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

export function storeTheme(theme: Theme): void {
  applyTheme(theme);
  try {
    localStorage.setItem(key, theme);
  } catch {
    // See storedTheme.
  }
}
