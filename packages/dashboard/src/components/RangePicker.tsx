import { CalendarDays, Check, ChevronDown } from 'lucide-react';
import { useState, type SyntheticEvent } from 'react';
import type { Day } from '../lib/days';
import { formatPeriod } from '../lib/format';
import { customRange, rangeNames, resolve, type Range, type RangeName } from '../lib/range';
import { show } from '../lib/view';
import { Menu } from './Menu';

interface Props {
  readonly range: Range;
  /** The current day in the site's time zone. */
  readonly today: Day;
}

export function RangePicker({ range, today }: Props) {
  const { from, to } = resolve(range, today);
  const name = typeof range === 'object' ? formatPeriod(from, to) : rangeNames[range];

  return (
    <Menu
      align="end"
      label={`Range: ${name}`}
      button={
        <>
          <CalendarDays size={16} aria-hidden="true" />
          <span>{name}</span>
          <ChevronDown size={16} aria-hidden="true" />
        </>
      }
    >
      {(close) => (
        <>
          <ul className="menu-list">
            {(Object.keys(rangeNames) as RangeName[]).map((choice) => (
              <li key={choice}>
                <button
                  type="button"
                  className="menu-item"
                  aria-current={choice === range}
                  onClick={() => {
                    close();
                    show({ range: choice });
                  }}
                >
                  {rangeNames[choice]}
                  {choice === range && <Check size={16} aria-hidden="true" />}
                </button>
              </li>
            ))}
          </ul>
          <hr />
          <CustomRange from={from} to={to} today={today} close={close} />
        </>
      )}
    </Menu>
  );
}

interface CustomRangeProps {
  readonly from: Day;
  readonly to: Day;
  readonly today: Day;
  readonly close: () => void;
}

function CustomRange({ close, today, ...now }: CustomRangeProps) {
  const [from, setFrom] = useState(now.from);
  const [to, setTo] = useState(now.to);
  const range = customRange(from, to);

  const onSubmit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (!range) return;
    close();
    show({ range });
  };

  return (
    <form className="custom-range" onSubmit={onSubmit}>
      <label>
        From
        <input
          type="date"
          required
          max={today}
          value={from}
          onChange={(event) => {
            setFrom(event.target.value);
          }}
        />
      </label>
      <label>
        To
        <input
          type="date"
          required
          min={from}
          max={today}
          value={to}
          onChange={(event) => {
            setTo(event.target.value);
          }}
        />
      </label>
      <button type="submit" className="button primary" disabled={!range}>
        Apply
      </button>
    </form>
  );
}
