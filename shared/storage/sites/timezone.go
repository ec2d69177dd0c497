package sites

import (
	"fmt"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// timezoneNotice is the minimum time before a change of a time zone takes effect. Every
// process that accepts events must have learned of the change by then.
const timezoneNotice = 5 * time.Minute

// TimezoneAt returns the name of the time zone that is in force at a time.
func (s *Site) TimezoneAt(at time.Time) string {
	if s.TimezoneSince != nil && at.Before(*s.TimezoneSince) {
		return s.PreviousTimezone
	}
	return s.Timezone
}

// LocationAt returns the time zone that is in force at a time.
func (s *Site) LocationAt(at time.Time) (*time.Location, error) {
	location, err := time.LoadLocation(s.TimezoneAt(at))
	if err != nil {
		return nil, fmt.Errorf("read the time zone of site %s: %w", s.PublicID, err)
	}
	return location, nil
}

// setTimezone schedules a change of the time zone, see Update.
func (s *Site) setTimezone(timezone string, now time.Time) error {
	if timezone == s.Timezone {
		return nil
	}
	inForce := s.TimezoneAt(now)
	if timezone == inForce {
		s.Timezone, s.PreviousTimezone, s.TimezoneSince = inForce, "", nil
		return nil
	}
	location, err := s.LocationAt(now)
	if err != nil {
		return err
	}
	tomorrow := event.DayOf(now.Add(timezoneNotice).In(location)) + 1
	s.Timezone, s.PreviousTimezone, s.TimezoneSince = timezone, inForce, new(tomorrow.Start(location))
	return nil
}
