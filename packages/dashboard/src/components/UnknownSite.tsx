import type { Site } from '../api/types';
import { Header } from './Header';

interface Props {
  readonly asked: string;
  readonly sites: readonly Site[];
}

/** Shown if the URL names an unknown site, instead of another site's numbers. */
export function UnknownSite({ asked, sites }: Props) {
  return (
    <>
      <Header sites={sites} />
      <main className="page">
        <section className="card padded">
          <h1>There is no site {asked}</h1>
          <p className="muted">It may have been deleted. Choose another one above.</p>
        </section>
      </main>
    </>
  );
}
