//! `[[zone]]` of the configuration.

use super::outline::Outline;
use super::{MAX_ZONES, Shape, ZoneConfig};
use crate::config::{metres, point, string, tables, unknown, wrong};
use toml::{Table, Value};
use wavewitness_types::ConfigError;

/// Reads every zone.
///
/// # Errors
/// If a key is unknown, wrong or missing, two zones have one name, or there are too many.
pub(crate) fn read(value: &Value) -> Result<Vec<ZoneConfig>, ConfigError> {
    let mut zones: Vec<ZoneConfig> = Vec::new();
    for table in tables("zone", value)? {
        let zone = read_one(table)?;
        if zones.iter().any(|z| z.slug() == zone.slug()) {
            return Err(ConfigError::new("zone.name", &zone.name, "each name once"));
        }
        zones.push(zone);
    }
    if zones.len() > MAX_ZONES {
        return Err(ConfigError::new("zone", zones.len(), format_args!("at most {MAX_ZONES}")));
    }
    Ok(zones)
}

fn read_one(table: &Table) -> Result<ZoneConfig, ConfigError> {
    let (mut name, mut min, mut max, mut outline, mut z_m) = (None, None, None, None, None);
    for (key, value) in table {
        match key.as_str() {
            "name" => name = Some(string("zone.name", value)?),
            "min_m" => min = Some(point("zone.min_m", value)?),
            "max_m" => max = Some(point("zone.max_m", value)?),
            "outline_m" => outline = Some(read_outline(value)?),
            "z_m" => {
                let range = metres(value);
                z_m = Some(range.ok_or_else(|| wrong("zone.z_m", value, "[lowest, highest] in metres"))?);
            }
            _ => return Err(unknown("zone.", key, &["name", "min_m", "max_m", "outline_m", "z_m"])),
        }
    }
    let missing = |field, what| ConfigError::new(field, "(missing)", what);
    let name = name.ok_or_else(|| missing("zone.name", "a name"))?;
    let shape = match (outline, min, max) {
        (Some(outline), None, None) => Shape::Prism { outline, z_m },
        (Some(_), ..) => {
            let allowed = "zone.outline_m, or zone.min_m and zone.max_m, not both";
            return Err(ConfigError::new("zone.outline_m", name, allowed));
        }
        (None, ..) if z_m.is_some() => {
            return Err(missing("zone.outline_m", "the corners that zone.z_m is of"));
        }
        (None, min, max) => Shape::Box {
            min_m: min.ok_or_else(|| missing("zone.min_m", "[x, y, z] in metres, or zone.outline_m"))?,
            max_m: max.ok_or_else(|| missing("zone.max_m", "[x, y, z] in metres"))?,
        },
    };
    ZoneConfig::new(name, shape)
}

fn read_outline(value: &Value) -> Result<Outline, ConfigError> {
    let corners: Option<Vec<[f64; 2]>> = value.as_array().and_then(|list| list.iter().map(metres).collect());
    let allowed = "corners [x, y] in metres, each -1000 to 1000";
    Outline::new(&corners.ok_or_else(|| wrong("zone.outline_m", value, allowed))?)
}

#[cfg(test)]
mod tests {
    use crate::config::HubConfig;

    #[test]
    fn a_zone_is_a_box_or_an_outline() {
        let zones = |text: &str| HubConfig::from_toml(text).map(|c| c.zones).map_err(|e| e.to_string());
        let boxed = zones("[[zone]]\nname = \"a\"\nmin_m = [0, 0, 0]\nmax_m = [2, 1, 2.5]").unwrap();
        assert_eq!(boxed[0].floor_m(), [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]);
        let outline = "[[zone]]\nname = \"b\"\noutline_m = [[0, 0], [0, 2.5], [2, 0]]\n";
        let triangle = zones(&format!("{outline}z_m = [0, 2]")).unwrap();
        assert_eq!(triangle[0].floor_m(), [[2.0, 0.0], [0.0, 2.5], [0.0, 0.0]], "counterclockwise");
        let refused = |text: &str| zones(text).unwrap_err();
        for (more, said) in [
            (
                "min_m = [0, 0, 0]",
                "zone.outline_m = b: allowed is zone.outline_m, or zone.min_m and zone.max_m, not both",
            ),
            ("z_m = [0]", "zone.z_m = [0]: allowed is [lowest, highest] in metres"),
            ("z_m = [1, 1.05]", "zone.z_m = 1 to 1.05: allowed is [lowest, highest], at least 0.1 m apart"),
            ("color = 1", "zone.color"),
        ] {
            let told = refused(&format!("{outline}{more}"));
            assert!(told.starts_with(said), "{told}");
        }
        let told = refused("[[zone]]\nname = \"c\"\nz_m = [0, 1]");
        assert!(told.starts_with("zone.outline_m = (missing)"), "{told}");
        let told = refused("[[zone]]\nname = \"c\"\noutline_m = [[0, 0], [1, 0], [1]]");
        assert!(told.contains("allowed is corners [x, y] in metres"), "{told}");
        assert!(refused("[[zone]]\nname = \"c\"").contains("or zone.outline_m"));
        assert!(refused(&outline.repeat(2)).contains("each name once"));
    }
}
