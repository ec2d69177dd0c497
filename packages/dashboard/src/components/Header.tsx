import { Check, ChevronDown, Code, Menu as MenuIcon, Plus } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import type { Site } from '../api/types';
import { show } from '../lib/view';
import { Dialog } from './Dialog';
import { Install } from './Install';
import { Logo } from './Logo';
import { Menu } from './Menu';
import { SignOutButton } from './SignOutButton';
import { SiteForm } from './SiteForm';
import { ThemeButton } from './ThemeButton';

interface Props {
  /** The selected site, if any. */
  readonly site?: Site;
  readonly sites: readonly Site[];
  /** The controls of the selected site: the live count and the range. */
  readonly children?: ReactNode;
}

export function Header({ site, sites, children }: Props) {
  const [dialog, setDialog] = useState<'add' | 'install'>();
  const closeDialog = () => {
    setDialog(undefined);
  };

  return (
    <header className="header">
      <div className="header-row">
        <Logo />
        <SitePicker site={site} sites={sites} />
        {children}
        <div className="header-end">
          <ThemeButton />
          <Menu
            button={<MenuIcon size={18} aria-hidden="true" />}
            label="Menu"
            className="icon-button"
            align="end"
          >
            {(close) => (
              <>
                <button
                  type="button"
                  className="menu-item"
                  onClick={() => {
                    close();
                    setDialog('add');
                  }}
                >
                  <Plus size={16} aria-hidden="true" /> Add site
                </button>
                {site && (
                  <button
                    type="button"
                    className="menu-item"
                    onClick={() => {
                      close();
                      setDialog('install');
                    }}
                  >
                    <Code size={16} aria-hidden="true" /> Install snippet
                  </button>
                )}
                <hr />
                <SignOutButton className="menu-item" />
                <SignOutButton className="menu-item" everywhere />
              </>
            )}
          </Menu>
        </div>
      </div>
      {dialog === 'add' && (
        <Dialog title="Add a site" onClose={closeDialog}>
          <SiteForm submit="Add site" />
        </Dialog>
      )}
      {dialog === 'install' && site && (
        <Dialog title={`Install on ${site.domain}`} onClose={closeDialog}>
          <Install site={site} />
        </Dialog>
      )}
    </header>
  );
}

function SitePicker({ site, sites }: { site: Site | undefined; sites: readonly Site[] }) {
  return (
    <Menu
      className="button quiet site-button"
      label={site ? `Site: ${site.domain}` : 'Choose a site'}
      button={
        <>
          <span className="ellipsis">{site?.domain ?? 'Choose a site'}</span>
          <ChevronDown size={16} aria-hidden="true" />
        </>
      }
    >
      {(close) => (
        <ul className="menu-list">
          {sites.map(({ id, domain }) => (
            <li key={id}>
              <button
                type="button"
                className="menu-item"
                aria-current={id === site?.id}
                onClick={() => {
                  close();
                  show({ site: domain, details: undefined });
                }}
              >
                <span className="ellipsis">{domain}</span>
                {id === site?.id && <Check size={16} aria-hidden="true" />}
              </button>
            </li>
          ))}
        </ul>
      )}
    </Menu>
  );
}
