import type { Site } from '../api/types';
import { Snippet } from './Snippet';

/** Instructions to install the tracker on a site. */
export function Install({ site }: { readonly site: Site }) {
  return (
    <div className="stack">
      <p>
        Put this line into the <code>&lt;head&gt;</code> of each page of {site.domain}:
      </p>
      <Snippet site={site} />
      <p className="muted">
        It counts page views, also in single-page applications, without cookies, and honours Do Not
        Track and Global Privacy Control. The first visit shows up here by itself.
      </p>
    </div>
  );
}
