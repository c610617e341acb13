"""What people segment, in words: phrases whose meaning the small text tower must know well.

Plain data. `OTHER_NAMES` are further names of the classes of the rendered scenes. One entry of `CONCEPTS` is a list of comma-separated phrases for things of one field; the order
means nothing. `MODIFIERS` and `RELATIONS` compose them into
longer inputs; `TEMPLATES` wrap them as prompts do.
"""

from __future__ import annotations

CONCEPTS: dict[str, str] = {
    "street": """
        sky, blue sky, cloudy sky, night sky, clouds, overcast sky, sunset sky, building, house, apartment
        building, office building, skyscraper, tower block, facade, shop front, storefront, brick wall, concrete
        wall, wall, roof, window, door, balcony, garage, shed, barn, church, bridge, tunnel, overpass, pole,
        lamp post, street light, street lamp, utility pole, telephone pole, column, pillar, flagpole, mast, road,
        street, asphalt, tarmac, road surface, street surface, lane, lane marking, road marking, zebra crossing,
        crosswalk, parking lot, parking space, highway, motorway, freeway, dirt road, gravel road, cobblestones,
        sidewalk, pavement, footpath, walkway, pedestrian path, kerb, curb, plaza, driveway, bike lane, traffic
        sign, road sign, street sign, stop sign, sign board, signpost, billboard, advertisement, traffic light,
        traffic signal, traffic cone, fence, railing, guard rail, barrier, hedge, gate, chain-link fence, picket
        fence, handrail, bollard, car, van, truck, lorry, bus, coach, sedan, taxi, pickup truck, sports car,
        vehicle, parked car, trailer, caravan, train, tram, trolley, motorcycle, motorbike, scooter, moped,
        bicycle, bike, rider, cyclist, bicyclist, motorcyclist, person riding a bicycle, person riding a
        motorcycle, pedestrian, person, people, people walking, man, woman, child, crowd, human figure, bench, bus
        stop, mailbox, fire hydrant, trash can, dustbin, manhole, drain, parking meter, phone booth, fountain,
        statue, awning, umbrella, stroller, wheelchair, skateboard, puddle, snow on the road, wet road, shadow""",
    "landscape": """
        tree, trees, bush, shrub, vegetation, foliage, leaves, plants, plant, greenery, palm tree, pine tree, oak,
        forest, woodland, jungle, rainforest, grass, lawn, meadow, grassland, pasture, field, crop field, farmland,
        orchard, vineyard, garden, flower, flowers, flower bed, park, terrain, ground, soil, bare soil, earth, dirt,
        mud, sand, beach, desert, dune, rock, rocks, stone, boulder, gravel, cliff, mountain, hill, valley, canyon,
        snow, ice, glacier, iceberg, water, sea, ocean, lake, river, stream, creek, pond, waterfall, wave, swamp,
        marsh, wetland, coral reef, seaweed, algae, kelp, moss, fern, mushroom, fungus, tree trunk, bark, branch,
        log, stump, twig, seed, root, stem, sun, moon, star, fog, mist, smoke, fire, flame, lightning, rainbow,
        volcano, lava, cave, island, horizon, path, trail, hiking trail, dock, pier, harbour, boat, ship, sailboat,
        canoe, ferry, airplane, aeroplane, aircraft, helicopter, drone, balloon, kite, animal, dog, cat, horse,
        cow, cattle, sheep, goat, pig, deer, bear, elephant, lion, tiger, bird, duck, chicken, eagle, fish, shark,
        whale, dolphin, turtle, snake, lizard, frog, insect, butterfly, bee, ant, spider, beetle, fly, snail""",
    "indoor": """
        floor, wooden floor, carpet, rug, tile, tiled floor, ceiling, curtain, blind, table, desk, chair, armchair,
        sofa, couch, stool, bed, pillow, blanket, mattress, wardrobe, cupboard, cabinet, drawer, shelf, bookshelf,
        bookcase, book, lamp, ceiling light, chandelier, television, screen, monitor, computer, laptop, keyboard,
        mouse, phone, mobile phone, refrigerator, fridge, oven, stove, microwave, dishwasher, sink, tap, faucet,
        toilet, bathtub, shower, mirror, towel, vase, picture, painting, poster, clock, plate, bowl, cup, mug,
        glass, bottle, knife, fork, spoon, pan, pot, kettle, food, bread, fruit, apple, banana, orange, vegetable,
        carrot, meat, cake, pizza, coffee, wine, basket, box, bag, backpack, suitcase, shoe, shirt, jacket, trousers,
        dress, hat, glasses, watch, toy, ball, stairs, staircase, step, radiator, fireplace, fan, heater, cable,
        wire, pipe, tool, hammer, screwdriver, machine, engine, wheel, tyre, tire, metal, rust, plastic, wood,
        paper, cardboard, fabric, leather, glass pane, rubber, crack, scratch, dent, hole, stain, corrosion,
        defect, weld, scale bar, text, number, label, ruler, hand, finger, face, hair, eye, ear, arm, leg, foot""",
    "microscopy": """
        cell, cells, single cell, cell body, cell interior, cell membrane, plasma membrane, membrane, cell border,
        cell boundary, cell edge, cell wall, nucleus, nuclei, cell nucleus, cell nuclei, nucleolus, nuclear
        envelope, cytoplasm, cytosol, organelle, mitochondrion, mitochondria, ribosome, vesicle, vacuole, lysosome,
        endosome, peroxisome, golgi apparatus, endoplasmic reticulum, chloroplast, cytoskeleton, microtubule,
        microtubules, actin filament, filament, fibre, fiber, chromosome, chromatin, dividing cell, mitotic cell,
        mitosis, cell division, dying cell, apoptotic cell, dead cell, living cell, debris, cell debris, dust,
        dirt particle, artefact, artifact, bubble, air bubble, bead, particle, nanoparticle, droplet, crystal,
        background, empty background, dark background, medium, culture medium, empty slide, glass slide, neuron,
        nerve cell, axon, dendrite, synapse, soma, neurite, glia, astrocyte, blood cell, red blood cell,
        erythrocyte, white blood cell, leukocyte, lymphocyte, platelet, macrophage, bacteria, bacterium, microbe,
        yeast, virus, parasite, embryo, egg, larva, worm, zebrafish, organoid, spheroid, colony, bacterial colony,
        cluster of cells, confluent cells, epithelial cell, stem cell, muscle cell, fluorescent spot, bright spot,
        fluorescence signal, stained nucleus, dark nucleus, grain, grain boundary, pore, precipitate, phase,
        inclusion, void, alloy, fracture surface, electron microscope image, granule, spot, blob, ring, lumen""",
    "pathology": """
        tissue, stained tissue, tumour, tumor, cancer, carcinoma, tumour tissue, tumour cells, malignant cells,
        metastasis, lesion, healthy tissue, normal tissue, benign tissue, stroma, connective tissue, collagen,
        fibrous tissue, fat, adipose tissue, fat cells, adipocyte, muscle, smooth muscle, necrosis, necrotic
        tissue, dead tissue, inflammation, immune cells, lymphocytes, plasma cells, blood, blood vessel, vessel,
        capillary, artery, vein, hemorrhage, bleeding, gland, glandular tissue, duct, crypt, mucus, mucosa,
        epithelium, epidermis, dermis, skin, bone, bone marrow, cartilage, nerve, brain tissue, grey matter, white
        matter, liver, kidney, glomerulus, tubule, lung, alveolus, airway, heart, spleen, lymph node, breast
        tissue, colon, stomach, intestine, bowel, polyp, prostate, retina, optic disc, fovea, exudate, drusen,
        mole, melanoma, wound, ulcer, scar, plaque, cyst, abscess, edema, fluid, calcification, fracture,
        organ, liver tumour, kidney tumour, surgical instrument, forceps, needle, catheter, pen mark, tissue fold,
        cell nucleus in stained tissue, eosin, hematoxylin, pink tissue, purple nuclei, slide background, embryo
        sac, tooth, gum, spine, vertebra, rib, skull, pelvis, knee, joint, tendon, ventricle, aorta, bladder""",
    "aerial": """
        aerial view, satellite image, urban area, residential area, built-up area, industrial area, commercial
        area, impervious surface, paved surface, rooftop, building footprint, swimming pool, tennis court, football
        field, stadium, airport, runway, railway, railway track, rail track, port, container, storage tank, solar
        panel, solar panels, wind turbine, power line, greenhouse, quarry, mine, construction site, landfill, low
        vegetation, high vegetation, cropland, agricultural land, agriculture field, irrigated field, rice paddy,
        corn field, wheat field, wheat, corn, maize, rice, soybean, sunflower, weed, weeds, crop, plough furrow,
        bare land, barren land, deforested area, forest clearing, burned area, burn scar, flooded area, flood,
        floodplain, river bank, coastline, shoreline, tidal flat, mangrove, reservoir, dam, canal, cloud, cloud
        shadow, thin cloud, snow cover, sea ice, sandbank, landslide, rubble, collapsed building, damaged building,
        oil spill, oil palm plantation, tree canopy, tree crown, dead tree, clutter, road intersection, roundabout""",
}

OTHER_NAMES: dict[str, str] = {
    "sky": "blue sky, cloudy sky, overcast sky, cloud, the sky above, firmament, atmosphere, daylight, air",
    "building": """facade, apartment building, office building, block of flats, skyscraper, tower block, houses,
        buildings, architecture, wall, storefront, brick building, construction, home, city block""",
    "pole": "utility pole, street light, street lamp, mast, pillar, metal pole, telephone pole, bollard, stake",
    "road": "street, tarmac, road surface, carriageway, highway, lane, driving lane, paved road, asphalt road, roads",
    "sidewalk": "walkway, pedestrian path, kerb, curb, paving stones, side of the road, pathway, paved path, sidewalks",
    "tree": "trees, leaves, shrub, greenery, plants, hedge, tree crown, branches, green leaves, plant, woods, leaf",
    "traffic sign": """stop sign, street sign, traffic signal, signpost, warning sign, speed limit sign, sign,
        stop light, traffic lights, signal light, signs""",
    "fence": "wooden fence, picket fence, metal fence, guard rail, railings, wire fence, enclosure, handrail, fences",
    "car": "vehicle, parked car, sedan, lorry, minivan, taxi, cars, motor vehicle, vehicles, pickup truck, coach, auto",
    "pedestrian": "man, woman, people, human, child, pedestrians, a person walking, human figure, man on foot, somebody",
    "bicyclist": """rider, bicycle, bike, bicycle rider, man on a bicycle, cycling, cyclists, woman riding a bike,
        person on a bike""",
    "background": "empty background, empty slide, dark background, glass, medium, nothing, empty space, empty area",
    "cell": "cells, single cell, living cell, cell interior, cytosol, whole cell, biological cell, animal cell",
    "nucleus": "nuclei, stained nucleus, cell nuclei, dark nucleus, chromatin, nuclear region, nucleus of a cell",
    "dividing cell": "cell division, mitotic figure, rounded cell, cell in mitosis, splitting cell, dividing cells",
    "debris": "dust, cell debris, dirt particle, dead cell, particles, impurity, speck, fragments, small particles",
}

MODIFIERS = """
    red, green, blue, yellow, white, black, grey, brown, orange, purple, pink, dark, bright, old, new, small,
    large, tall, wide, wet, dry, empty, broken, wooden, metal, stone, concrete, round, long, thin, thick,
    distant, nearby, parked, moving, dense, sparse, shiny, dirty, clean, blurry, rough, smooth, healthy, stained,
    bright green, dark red, pale blue"""

RELATIONS = """
    on, in, with, near, and, or, of, under, above, beside, behind, in front of, next to, riding a, holding a,
    full of, made of, covered with, between, without, at the edge of, inside the"""

TEMPLATES = (
    "a photo of a {}.",
    "a photo of the {}.",
    "a photo of {}.",
    "a {} in the scene.",
    "the {} in the image",
    "an image of a {}",
    "a picture of {}",
    "a {}",
    "the {}",
    "there is a {} in the scene.",
    "a close-up photo of a {}.",
    "a bad photo of a {}.",
    "a cropped photo of the {}.",
    "a blurry photo of a {}.",
    "a dark photo of the {}.",
    "a bright photo of the {}.",
    "itap of a {}.",
    "a photo of a large {}.",
    "a photo of a small {}.",
    "a photo of many {}.",
    "a microscopy image of {}.",
    "a micrograph of {}",
    "a fluorescence microscopy image of a {}.",
    "a histology image of {}.",
    "a pathology slide showing {}.",
    "a satellite image of {}.",
    "an aerial photo of {}.",
    "a street scene with {}.",
    "a rendering of a {}.",
    "a pixel of {}",
    "a region of {}",
    "a texture of {}",
    "{} in the background",
    "{}.",
)

SYNONYMS = """
    car, automobile; car, motor car; tree, foliage; sidewalk, pavement; bicyclist, cyclist; building, house;
    sky, heavens; road, roadway; road, street; pole, post; pole, lamppost; fence, railing; pedestrian,
    walker; pedestrian, person on foot; traffic sign, road sign; car, vehicle; sidewalk, footway;
    building, edifice; bicyclist, bike rider; nucleus, nuclei; cell, cell body; membrane, cell boundary;
    background, backdrop; tumour, cancerous tissue; stroma, connective tissue; fat, adipose tissue; blood
    vessel, artery; water, lake; water, river; grass, lawn; forest, woodland; field, farmland; roof, rooftop;
    snow, ice; rock, stone; boat, ship; airplane, aircraft; sofa, couch; bed, mattress; television, TV screen;
    cup, mug; dog, puppy; cat, kitten; horse, pony"""


def split_phrases(text: str) -> list[str]:
    r"""Phrases between commas, with runs of white space made single spaces.

    >>> split_phrases("lamp\n   post, road")
    ['lamp post', 'road']
    """
    return [phrase for part in text.split(",") if (phrase := " ".join(part.split()))]


def concept_phrases() -> list[str]:
    """Return every phrase of every field once, in order of first appearance."""
    return list(dict.fromkeys(phrase for text in CONCEPTS.values() for phrase in split_phrases(text)))


def synonym_pairs() -> list[tuple[str, str]]:
    """Return (class name, other name of it) pairs by which the text tower is judged."""
    pairs = (split_phrases(pair) for pair in SYNONYMS.split(";"))
    return [(first, second) for first, second in pairs]
