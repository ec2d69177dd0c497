import { useSession, useSites } from './api/queries';
import { Dashboard } from './components/Dashboard';
import { ErrorNote } from './components/ErrorNote';
import { FirstSite } from './components/FirstSite';
import { Logo } from './components/Logo';
import { SignIn } from './components/SignIn';
import { UnknownSite } from './components/UnknownSite';
import { useView } from './lib/view';

/** `signInError` is the reason why the token in the URL was rejected. */
export function App({ signInError }: { readonly signInError?: unknown }) {
  const session = useSession();
  if (session.data) return <Sites />;
  if (session.data === null) return <SignIn initialError={signInError} />;
  if (session.isError) return <Failure error={session.error} retry={session.refetch} />;
  return <Splash />;
}

function Sites() {
  const sites = useSites();
  const view = useView();
  if (!sites.data) {
    return sites.isError ? <Failure error={sites.error} retry={sites.refetch} /> : <Splash />;
  }
  const [first] = sites.data;
  if (!first) return <FirstSite />;
  const site =
    view.site === undefined
      ? first
      : sites.data.find(({ domain, id }) => domain === view.site || id === view.site);
  if (!site) return <UnknownSite asked={view.site ?? ''} sites={sites.data} />;
  return <Dashboard key={site.id} site={site} sites={sites.data} view={view} />;
}

function Splash() {
  return (
    <div className="splash" role="status" aria-label="Loading">
      <Logo size={40} />
    </div>
  );
}

function Failure({ error, retry }: { readonly error: unknown; readonly retry: () => unknown }) {
  return (
    <main className="centered">
      <h1 className="visually-hidden">Analytics</h1>
      <div className="card padded">
        <ErrorNote error={error} onRetry={retry} />
      </div>
    </main>
  );
}
