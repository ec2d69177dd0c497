import { useId, useState, type SyntheticEvent } from 'react';
import { ApiError } from '../api/client';
import { useCreateSite } from '../api/queries';
import { timezones } from '../lib/timezones';
import { show } from '../lib/view';
import { ErrorNote } from './ErrorNote';

/** A form that adds a site and then shows it. */
export function SiteForm({ submit }: { readonly submit: string }) {
  const createSite = useCreateSite();
  const id = useId();
  const [domain, setDomain] = useState('');
  const [zones] = useState(timezones);
  const [timezone, setTimezone] = useState(zones.own);

  const { error } = createSite;
  const problem = error instanceof ApiError ? error.problem : undefined;
  const blamed = problem?.field === 'domain' || problem?.field === 'timezone';

  const onSubmit = (event: SyntheticEvent) => {
    event.preventDefault();
    createSite.mutate(
      { domain: domain.trim(), timezone },
      {
        onSuccess: (site) => {
          show({ site: site.domain, details: undefined });
        },
      },
    );
  };

  const fieldError = (field: string) =>
    problem?.field === field && (
      <p id={`${id}-${field}-error`} className="field-error" role="alert">
        {problem.detail ?? problem.title}
      </p>
    );

  return (
    <form className="stack" onSubmit={onSubmit}>
      <div className="field">
        <label htmlFor={`${id}-domain`}>Domain</label>
        <input
          id={`${id}-domain`}
          name="domain"
          type="text"
          inputMode="url"
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          placeholder="example.com"
          required
          value={domain}
          aria-invalid={problem?.field === 'domain'}
          aria-describedby={`${id}-domain-${problem?.field === 'domain' ? 'error' : 'hint'}`}
          onChange={(event) => {
            setDomain(event.target.value);
          }}
        />
        {fieldError('domain') || (
          <p id={`${id}-domain-hint`} className="field-hint">
            Without https:// and without a path.
          </p>
        )}
      </div>
      <div className="field">
        <label htmlFor={`${id}-timezone`}>Time zone</label>
        <select
          id={`${id}-timezone`}
          name="timezone"
          value={timezone}
          aria-invalid={problem?.field === 'timezone'}
          aria-describedby={`${id}-timezone-${problem?.field === 'timezone' ? 'error' : 'hint'}`}
          onChange={(event) => {
            setTimezone(event.target.value);
          }}
        >
          {zones.all.map((zone) => (
            <option key={zone}>{zone}</option>
          ))}
        </select>
        {fieldError('timezone') || (
          <p id={`${id}-timezone-hint`} className="field-hint">
            The site’s days begin at midnight there.
          </p>
        )}
      </div>
      {error && !blamed && <ErrorNote error={error} />}
      <button type="submit" className="button primary" disabled={createSite.isPending}>
        {submit}
      </button>
    </form>
  );
}
