//! Configuration of the whole engine: places, TDMA, and every stage's parameters.

use wavewitness_types::canonical::Reader;
use wavewitness_types::stage_config::{ConfigValue, KeyDoc, StageConfig};
use wavewitness_types::{Canonical, ConfigError, CyclePlan, Geometry, Sink};

/// Declares the stages' configurations once: fields, sections, setting by name, canonical bytes.
macro_rules! engine_config {
    ($($(#[$doc:meta])* $field:ident: $ty:ty;)*) => {
        /// Everything that fixes how the engine computes. Its canonical bytes are part of the genesis.
        #[derive(Clone, Debug, PartialEq)]
        pub struct EngineConfig {
            /// Cycle length and TDMA slots.
            pub cycle: CyclePlan,
            /// Room, nodes, access points.
            pub geometry: Geometry,
            $($(#[$doc])* pub $field: $ty,)*
        }

        impl Default for EngineConfig {
            fn default() -> EngineConfig {
                EngineConfig {
                    cycle: CyclePlan::ambient(),
                    geometry: Geometry::default(),
                    $($field: <$ty>::default(),)*
                }
            }
        }

        impl EngineConfig {
            /// Every stage's section with its keys, in the order of the stages.
            pub fn sections() -> Vec<(&'static str, Vec<KeyDoc>)> {
                vec![$((<$ty>::SECTION, <$ty>::keys()),)*]
            }

            /// Sets one stage parameter.
            ///
            /// # Errors
            /// If there is no such section or key, or the value is of another kind or out of range.
            pub fn set(&mut self, section: &str, key: &str, value: ConfigValue) -> Result<(), ConfigError> {
                $(if section == <$ty>::SECTION {
                    return self.$field.set(key, value);
                })*
                let known = [$(<$ty>::SECTION),*].join(", ");
                Err(ConfigError::new(section, "(unknown section)", format_args!("one of: {known}")))
            }

            /// Checks everything.
            ///
            /// # Errors
            /// Names the first field that can't be used.
            pub fn check(&self) -> Result<(), ConfigError> {
                self.cycle.check()?;
                self.geometry.check()?;
                $(self.$field.check()?;)*
                Ok(())
            }

            /// Reads canonical bytes; `None` if they are not exactly one configuration of this build.
            pub fn from_canonical_bytes(bytes: &[u8]) -> Option<EngineConfig> {
                let mut r = Reader::new(bytes);
                let config = EngineConfig {
                    cycle: CyclePlan::read(&mut r)?,
                    geometry: Geometry::read(&mut r)?,
                    $($field: <$ty>::read(&mut r)?,)*
                };
                r.finished()?;
                config.check().ok()?;
                Some(config)
            }
        }

        impl Canonical for EngineConfig {
            fn canonical<S: Sink>(&self, out: &mut S) {
                let Self { cycle, geometry, $($field,)* } = self;
                cycle.canonical(out);
                geometry.canonical(out);
                $($field.canonical(out);)*
            }
        }
    };
}

engine_config! {
    /// Node health and clocks.
    ingest: wavewitness_ingest::Config;
    /// Link separation.
    links: wavewitness_links::Config;
    /// Baselines.
    calibration: wavewitness_calibration::Config;
    /// Motion of each link.
    motion: wavewitness_motion::Config;
    /// Breathing rate.
    breathing: wavewitness_breathing::Config;
    /// Common phase and slope.
    phase_align: wavewitness_phase_align::Config;
    /// Attention.
    fusion: wavewitness_fusion::Config;
    /// Impulse response.
    cir: wavewitness_cir::Config;
    /// Coherence gate.
    gate: wavewitness_cir::gate::Config;
    /// Images.
    tomography: wavewitness_tomography::Config;
    /// Baselines of signal strength.
    strength: wavewitness_tomography::strength::Config;
    /// The likelihood of places.
    locate: wavewitness_tomography::locate::Config;
    /// Walkers by their Doppler spectra.
    localise: wavewitness_localise::Config;
    /// Postures and falls.
    posture: wavewitness_posture::Config;
    /// Tracks.
    pose: wavewitness_pose::Config;
    /// Presence, count, quality.
    world: wavewitness_world::Config;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_round_trips_and_sections_are_unique() {
        let config = EngineConfig::default();
        config.check().unwrap();
        let bytes = config.to_canonical_bytes();
        assert_eq!(EngineConfig::from_canonical_bytes(&bytes), Some(config));
        assert_eq!(EngineConfig::from_canonical_bytes(&bytes[..bytes.len() - 1]), None);
        let mut names: Vec<_> = EngineConfig::sections().into_iter().map(|(name, _)| name).collect();
        let n = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n);
    }
}
