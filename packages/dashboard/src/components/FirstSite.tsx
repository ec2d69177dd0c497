import { Logo } from './Logo';
import { SignOutButton } from './SignOutButton';
import { SiteForm } from './SiteForm';
import { ThemeButton } from './ThemeButton';

/** The first page of a new installation. */
export function FirstSite() {
  return (
    <main className="centered">
      <div className="corner">
        <ThemeButton />
        <SignOutButton />
      </div>
      <section className="card padded stack sign-in">
        <Logo size={44} />
        <div>
          <h1>Add your first site</h1>
          <p className="muted">You get one line to put into its pages, and then see its visits.</p>
        </div>
        <SiteForm submit="Add site" />
      </section>
    </main>
  );
}
