//! Where things are, and how a configuration is refused.

use crate::canonical::{Canonical, Reader, Sink};
use crate::ids::{Mac, NodeId};
use crate::limits::{MAX_LINKS, MAX_NODES};
use core::fmt;

/// A configuration value that can't be used: what, its value, and what would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The field, as written in the configuration file (`cir.lambda_ratio`).
    pub field: String,
    /// The value that was given.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl ConfigError {
    /// An error for a field.
    pub fn new(field: &str, value: impl fmt::Display, allowed: impl fmt::Display) -> ConfigError {
        ConfigError { field: field.to_owned(), value: value.to_string(), allowed: allowed.to_string() }
    }

    /// `Ok` if `value` lies in `low..=high`.
    ///
    /// # Errors
    /// Names the field, the value and the range otherwise (also for NaN).
    pub fn check_range(field: &str, value: f64, low: f64, high: f64) -> Result<(), ConfigError> {
        if value >= low && value <= high {
            Ok(())
        } else {
            Err(ConfigError::new(field, value, format_args!("{low} to {high}")))
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: allowed is {}", self.field, self.value, self.allowed)
    }
}

impl std::error::Error for ConfigError {}

/// The room: an axis-aligned box in metres, z up, floor at `min_m[2]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// Corner with the least coordinates.
    pub min_m: [f64; 3],
    /// Corner with the greatest coordinates.
    pub max_m: [f64; 3],
}

/// A configured node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodePlace {
    /// The id in its datagrams.
    pub id: NodeId,
    /// Its MAC as a transmitter, where known.
    pub mac: Option<Mac>,
    /// Its antenna, in metres, where known.
    pub position_m: Option<[f64; 3]>,
}

/// A configured access point or other station that transmits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccessPointPlace {
    /// Its MAC.
    pub mac: Mac,
    /// Its antenna, in metres, where known.
    pub position_m: Option<[f64; 3]>,
}

/// Everything that is known about places. All of it optional: without it the hub says presence and motion only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Geometry {
    /// The room, where known.
    pub room: Option<Room>,
    /// Nodes, ascending by id.
    pub nodes: Vec<NodePlace>,
    /// Access points, ascending by MAC.
    pub access_points: Vec<AccessPointPlace>,
}

impl Geometry {
    /// The node with a transmitter MAC.
    pub fn node_by_mac(&self, mac: Mac) -> Option<NodeId> {
        self.nodes.iter().find(|n| n.mac == Some(mac)).map(|n| n.id)
    }

    /// Position of a node's antenna.
    pub fn node_position(&self, id: NodeId) -> Option<[f64; 3]> {
        self.nodes.iter().find(|n| n.id == id)?.position_m
    }

    /// Position of an access point's antenna.
    pub fn access_point_position(&self, mac: Mac) -> Option<[f64; 3]> {
        self.access_points.iter().find(|a| a.mac == mac)?.position_m
    }
}

impl Geometry {
    /// Reads canonical bytes.
    pub fn read(r: &mut Reader<'_>) -> Option<Geometry> {
        fn point(r: &mut Reader<'_>) -> Option<[f64; 3]> {
            Some([r.f64()?, r.f64()?, r.f64()?])
        }
        let room = r.option(|r| Some(Room { min_m: point(r)?, max_m: point(r)? }))?;
        let node = |r: &mut Reader<'_>| {
            Some(NodePlace {
                id: NodeId(r.u8()?),
                mac: r.option(|r| r.array().map(Mac))?,
                position_m: r.option(point)?,
            })
        };
        let nodes = (0..r.count(MAX_NODES)?).map(|_| node(r)).collect::<Option<_>>()?;
        let station = |r: &mut Reader<'_>| {
            Some(AccessPointPlace { mac: Mac(r.array()?), position_m: r.option(point)? })
        };
        let access_points = (0..r.count(MAX_LINKS)?).map(|_| station(r)).collect::<Option<_>>()?;
        Some(Geometry { room, nodes, access_points })
    }

    /// Checks what the types can't.
    ///
    /// # Errors
    /// If there are more nodes or access points than the engine follows, ids or MACs are not unique, or the room has
    /// no extent.
    pub fn check(&self) -> Result<(), ConfigError> {
        let most = |n: usize, limit: usize, field| {
            if n <= limit { Ok(()) } else { Err(ConfigError::new(field, n, format_args!("at most {limit}"))) }
        };
        most(self.nodes.len(), MAX_NODES, "node")?;
        most(self.access_points.len(), MAX_LINKS, "access_point")?;
        for pair in self.nodes.windows(2) {
            if pair[0].id >= pair[1].id {
                return Err(ConfigError::new("node.id", pair[1].id.0, "each id once, ascending"));
            }
        }
        for pair in self.access_points.windows(2) {
            if pair[0].mac >= pair[1].mac {
                return Err(ConfigError::new("access_point.mac", pair[1].mac, "each MAC once, ascending"));
            }
        }
        let macs = |mac: Mac| {
            self.nodes.iter().filter(|n| n.mac == Some(mac)).count()
                + self.access_points.iter().filter(|a| a.mac == mac).count()
        };
        if let Some(mac) = self.nodes.iter().filter_map(|n| n.mac).find(|&m| macs(m) > 1) {
            return Err(ConfigError::new("node.mac", mac, "each MAC once"));
        }
        if let Some(room) = &self.room {
            for k in 0..3 {
                ConfigError::check_range(
                    "room.max_m - room.min_m",
                    room.max_m[k] - room.min_m[k],
                    0.5,
                    1000.0,
                )?;
            }
        }
        Ok(())
    }
}

impl Canonical for Room {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { min_m, max_m } = self;
        out.f64s(min_m);
        out.f64s(max_m);
    }
}

impl Canonical for NodePlace {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { id, mac, position_m } = self;
        id.canonical(out);
        out.option(mac.as_ref(), |s, v| v.canonical(s));
        out.option(position_m.as_ref(), |s, v| s.f64s(v));
    }
}

impl Canonical for AccessPointPlace {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { mac, position_m } = self;
        mac.canonical(out);
        out.option(position_m.as_ref(), |s, v| s.f64s(v));
    }
}

impl Canonical for Geometry {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { room, nodes, access_points } = self;
        out.option(room.as_ref(), |s, v| v.canonical(s));
        nodes.as_slice().canonical(out);
        access_points.as_slice().canonical(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometry_round_trips_and_refuses_doubles() {
        let node = |id, mac| NodePlace {
            id: NodeId(id),
            mac: Some(Mac([mac; 6])),
            position_m: Some([1.0, 2.0, 0.5]),
        };
        let mut geometry = Geometry {
            room: Some(Room { min_m: [0.0; 3], max_m: [5.0, 4.0, 2.5] }),
            nodes: vec![node(1, 1), node(2, 2)],
            access_points: vec![AccessPointPlace { mac: Mac([9; 6]), position_m: None }],
        };
        geometry.check().unwrap();
        let bytes = geometry.to_canonical_bytes();
        assert_eq!(Geometry::read(&mut Reader::new(&bytes)), Some(geometry.clone()));
        geometry.nodes[1].mac = Some(Mac([9; 6]));
        assert!(geometry.check().unwrap_err().to_string().contains("each MAC once"));
        geometry.nodes[1].id = NodeId(1);
        assert!(geometry.check().unwrap_err().to_string().contains("each id once"));
    }

    #[test]
    fn a_refusal_names_field_value_and_range() {
        let e = ConfigError::check_range("cir.lambda_ratio", 7.0, 0.001, 0.9).unwrap_err();
        assert_eq!(e.to_string(), "cir.lambda_ratio = 7: allowed is 0.001 to 0.9");
        assert!(ConfigError::check_range("x", f64::NAN, 0.0, 1.0).is_err());
    }
}
