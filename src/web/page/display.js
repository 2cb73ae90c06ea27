// How the page looks: light or dark, and large for the last row. The choice stays in this browser.

import { byId } from './dom.js';

const dark = matchMedia('(prefers-color-scheme: dark)');

/** Sets the two switches up; `resized()` follows when text has changed its size. */
export function display(resized) {
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ?? (dark.matches ? 'dark' : 'light')) === 'dark';
  const show = () => {
    byId('theme').setAttribute('aria-pressed', isDark());
    byId('large').setAttribute('aria-pressed', 'large' in root.dataset);
  };
  const { theme, large } = localStorage;
  if (theme) root.dataset.theme = theme;
  if (large) root.dataset.large = '';
  byId('theme').addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    localStorage.theme = root.dataset.theme;
    show();
  });
  byId('large').addEventListener('click', () => {
    if ('large' in root.dataset) {
      delete root.dataset.large;
      localStorage.removeItem('large');
    } else {
      root.dataset.large = '';
      localStorage.large = 'yes';
    }
    show();
    resized();
  });
  dark.addEventListener('change', show);
  show();
}
