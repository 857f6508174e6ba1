//! The bundle format from outside: what is written is read back, and what is not as written is refused.

#[path = "bundle/common.rs"]
mod common;
#[path = "bundle/contents.rs"]
mod contents;
#[path = "bundle/cut.rs"]
mod cut;
#[path = "bundle/example.rs"]
mod example;
#[path = "bundle/hostile.rs"]
mod hostile;
#[path = "bundle/keyring.rs"]
mod keyring;
#[path = "bundle/limits.rs"]
mod limits;
#[path = "bundle/malformed.rs"]
mod malformed;
#[path = "bundle/policy.rs"]
mod policy;
#[path = "bundle/recipe.rs"]
mod recipe;
#[path = "bundle/recipe_hostile.rs"]
mod recipe_hostile;
#[path = "bundle/recipe_packs.rs"]
mod recipe_packs;
#[path = "bundle/round_trip.rs"]
mod round_trip;
#[path = "bundle/tamper.rs"]
mod tamper;
#[path = "bundle/trust_order.rs"]
mod trust_order;
#[path = "bundle/volume_text.rs"]
mod volume_text;
#[path = "bundle/volumes.rs"]
mod volumes;
#[path = "bundle/volumes_tamper.rs"]
mod volumes_tamper;
#[path = "bundle/write.rs"]
mod write;
#[path = "bundle/zips.rs"]
mod zips;
