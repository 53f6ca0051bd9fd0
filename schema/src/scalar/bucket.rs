//! Parts of the calendar, in UTC. Weeks begin on Monday.

use super::time::{MICROS_PER_DAY, calendar, days_since_1970};
use std::ops::Range;

const MICROS_PER_HOUR: i64 = MICROS_PER_DAY / 24;

/// A part of the calendar that instants or days are gathered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Bucket {
    /// The bucket with this name in the API.
    pub(crate) fn named(name: &str) -> Option<Bucket> {
        Some(match name {
            "HOUR" => Bucket::Hour,
            "DAY" => Bucket::Day,
            "WEEK" => Bucket::Week,
            "MONTH" => Bucket::Month,
            "QUARTER" => Bucket::Quarter,
            "YEAR" => Bucket::Year,
            _ => return None,
        })
    }

    /// The instants of the bucket that an instant lies in, as microseconds since 1970.
    pub(crate) fn of_instant(self, micros: i64) -> Range<i64> {
        if self == Bucket::Hour {
            let start = micros.div_euclid(MICROS_PER_HOUR) * MICROS_PER_HOUR;
            return start..start + MICROS_PER_HOUR;
        }
        let days = self.of_day(micros.div_euclid(MICROS_PER_DAY));
        days.start * MICROS_PER_DAY..days.end * MICROS_PER_DAY
    }

    /// The days of the bucket that a day lies in, counted from 1970-01-01. A day has no hours: it is its own.
    pub(crate) fn of_day(self, days: i64) -> Range<i64> {
        let months = match self {
            Bucket::Hour | Bucket::Day => return days..days + 1,
            Bucket::Week => {
                // 1970-01-01 was a Thursday.
                let start = days - (days + 3).rem_euclid(7);
                return start..start + 7;
            }
            Bucket::Month => 1,
            Bucket::Quarter => 3,
            Bucket::Year => 12,
        };
        let (year, month, _) = calendar(days);
        let first = year * 12 + (month - 1) / months * months;
        let start_of = |month: i64| i64::from(days_since_1970(month.div_euclid(12), month.rem_euclid(12) + 1, 1));
        start_of(first)..start_of(first + months)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Bucket; 5] = [Bucket::Day, Bucket::Week, Bucket::Month, Bucket::Quarter, Bucket::Year];

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for bucket in ALL {
            // From before the year 0001 to behind the year 9999.
            for day in (-719_200..2_933_000).step_by(97) {
                let range = bucket.of_day(day);
                assert!(range.contains(&day), "{bucket:?} {day}");
                assert_eq!(bucket.of_day(range.start), range);
                assert_eq!(bucket.of_day(range.end - 1), range);
                assert_eq!(bucket.of_day(range.end).start, range.end);
            }
        }
    }

    #[test]
    fn a_bucket_begins_where_people_say() {
        let day = |year, month, day| i64::from(days_since_1970(year, month, day));
        let leap = day(2024, 2, 29);
        let starts = ALL.map(|bucket| bucket.of_day(leap).start);
        assert_eq!(starts, [leap, day(2024, 2, 26), day(2024, 2, 1), day(2024, 1, 1), day(2024, 1, 1)]);
        assert_eq!(Bucket::Hour.of_instant(-1), -MICROS_PER_HOUR..0);
        assert_eq!(Bucket::Month.of_instant(-1).end, 0);
    }
}
