//! Builds every image of ours with a real engine. Takes minutes and package mirrors, so it is asked for by name:
//! `cargo test -p runtime --test images -- --ignored --nocapture`.

use runtime::{
    AnyRuntime, Docker, Runtime,
    images::{Progress, Recipe},
};
use std::time::Instant;

#[tokio::test]
#[ignore = "takes minutes when the images are not there"]
async fn every_image_is_obtained_and_then_found() {
    let engine = AnyRuntime::Docker(Docker::connect().await.expect("an engine"));
    for recipe in Recipe::all().expect("recipes") {
        let start = Instant::now();
        let id = engine
            .ensure_image(&recipe, &mut |step| match &step {
                Progress::Line(line) if !line.starts_with("Step ") => {}
                Progress::Line(_)
                | Progress::Pulling { .. }
                | Progress::Bootstrapping { .. }
                | Progress::Building { .. } => {
                    println!("{:7.1} s  {step}", start.elapsed().as_secs_f32());
                }
            })
            .await
            .expect("image");
        println!("{:7.1} s  {} is {id}", start.elapsed().as_secs_f32(), recipe.reference());
        let mut steps = 0;
        let again = engine.ensure_image(&recipe, &mut |_| steps += 1).await.expect("image");
        assert_eq!((again, steps), (id, 0), "an image that is there is not built again");
        assert!(engine.image_id(recipe.reference()).await.expect("look").is_some());
    }
}
