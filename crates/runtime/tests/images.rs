//! The images of ours on a real engine. `just test` has built them before, so that this takes no time; on its own it builds
//! them, which takes minutes.

use runtime::{AnyRuntime, Docker, Runtime, images::Recipe};

#[tokio::test]
async fn every_image_is_obtained_once_and_then_found() {
    let engine = AnyRuntime::Docker(Docker::connect().await.expect("an engine"));
    for recipe in Recipe::all().expect("recipes") {
        let id = engine.ensure_image(&recipe, &mut |_| {}).await.expect("image");
        let mut steps = 0;
        let again = engine.ensure_image(&recipe, &mut |_| steps += 1).await.expect("image");
        assert_eq!((again, steps), (id, 0), "an image that is there is not built again");
        assert!(engine.image_id(recipe.reference()).await.expect("look").is_some());
    }
}
