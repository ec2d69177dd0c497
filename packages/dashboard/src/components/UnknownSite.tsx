import type { Site } from '../api/types';
import { Header } from './Header';

interface Props {
  readonly asked: string;
  readonly sites: readonly Site[];
}

/** The address names a site that is not there: say so instead of showing another one. */
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
