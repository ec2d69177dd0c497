import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { signIn } from './api/client';
import { createQueryClient } from './api/queries';
import { App } from './App';
import { hasToken, takeToken } from './lib/token';
import { applyTheme, storedTheme } from './lib/theme';
import './styles/base.css';
import './styles/controls.css';
import './styles/dashboard.css';

applyTheme(storedTheme());

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element with the id root');

// The URL with the token may be opened while the page is open. Then only the fragment
// changes, and the browser does not reload the page.
window.addEventListener('hashchange', () => {
  if (hasToken()) window.location.reload();
});

// Before the first request, so that it has the session cookie.
const token = takeToken();
const refused =
  token === undefined ? undefined : await signIn(token).catch((error: unknown) => error);

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={createQueryClient()}>
      <App signInError={refused} />
    </QueryClientProvider>
  </StrictMode>,
);
